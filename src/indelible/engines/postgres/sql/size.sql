-- What an event (row e) counts in the size of a page, in bytes.
coalesce(octet_length(e.event_data), octet_length(e.event_data_base64)) + coalesce(octet_length(e.metadata), 2)
