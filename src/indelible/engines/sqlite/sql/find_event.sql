SELECT position FROM event_ids WHERE event_id = :event_id
