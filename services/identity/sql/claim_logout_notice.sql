SELECT claim_logout_notice()
