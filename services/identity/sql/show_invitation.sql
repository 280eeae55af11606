SELECT show_invitation($1)
