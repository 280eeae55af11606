SELECT list_login_providers()
