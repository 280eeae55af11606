SELECT list_hint_keys()
