SELECT sweep_logout_notices()
