SELECT position FROM event_log
