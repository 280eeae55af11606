SELECT sweep_revocations()
