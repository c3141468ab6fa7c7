-- Seconds; 0 without a limit.
SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::double precision
