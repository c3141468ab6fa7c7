UPDATE event_types SET events = events + ? WHERE id = ?
