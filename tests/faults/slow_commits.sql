-- A deferred constraint trigger runs when COMMIT begins, while every lock of the transaction is still held.
CREATE OR REPLACE FUNCTION public.sleep_before_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * TG_ARGV[0]::double precision);
    RETURN NULL;
END $$;
