-- Two witnesses, so that damage to the last event's row cannot hide the event.
SELECT max(
    coalesce((SELECT max(position) FROM events), 0),
    coalesce((SELECT sum(events) FROM event_types), 0)
)
