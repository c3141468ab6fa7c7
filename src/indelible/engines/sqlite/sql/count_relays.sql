SELECT count(*), max(name = :name) FROM relays
