SELECT sweep_operator_logins()
