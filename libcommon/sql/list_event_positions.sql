SELECT source, position FROM event_positions
