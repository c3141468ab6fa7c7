-- The values of a declared field: the least, and where there are several the greatest and all of them.
ALTER TABLE {schema}.documents_{number}
ADD COLUMN f{field} {type}, ADD COLUMN f{field}_high {type}, ADD COLUMN f{field}_all {array_type};

CREATE INDEX documents_{number}_f{field} ON {schema}.documents_{number} ({key}) WHERE f{field} IS NOT NULL;
CREATE INDEX documents_{number}_f{field}_high ON {schema}.documents_{number} ({key_high}) WHERE f{field}_high IS NOT NULL;
