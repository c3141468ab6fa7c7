-- Which generations there are. Each is a file of its own, beside this one.
CREATE TABLE catalog (
    serving INTEGER,                   -- number of the generation that is searched
    building INTEGER,                  -- of the one that is being built
    last_number INTEGER NOT NULL       -- of the newest that was ever begun
) STRICT;

INSERT INTO catalog VALUES (NULL, NULL, 0);
