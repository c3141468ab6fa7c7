-- Of a declared field.
CREATE TABLE postings_$number (value ANY NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE recent_$number (value ANY NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
