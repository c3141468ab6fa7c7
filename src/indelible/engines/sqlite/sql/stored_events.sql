-- The stored ones among some event ids (JSON array of hexadecimal text). Almost always none.
SELECT CAST(line AS BLOB) FROM rendered_events
WHERE event_id IN (SELECT unhex(value) FROM json_each(:event_ids))
