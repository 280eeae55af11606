SELECT link_journal()
