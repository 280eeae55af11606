SELECT claim_invitation()
