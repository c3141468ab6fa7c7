-- A deferred constraint trigger runs when COMMIT begins, while the transaction still holds all its locks.
CREATE OR REPLACE FUNCTION {schema}.sleep_before_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * TG_ARGV[0]::double precision);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER sleep_before_commit AFTER UPDATE ON {schema}.heads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.sleep_before_commit({delay_max_s});
