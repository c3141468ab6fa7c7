-- The stored ones among some event ids (JSON array of hexadecimal text). Almost always none. The ids lead: each is one
-- step into the index, where a list of them that IN makes would be sorted first.
SELECT value, position
FROM json_each(:event_ids) CROSS JOIN event_ids ON event_id = unhex(value)
