SELECT sweep_logins()
