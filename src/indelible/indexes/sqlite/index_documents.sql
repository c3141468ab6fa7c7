-- What was added since this was done last, which the table "fresh" gives the ranges of, is found from now on. Sorted, so
-- that as many entries as may be go to one page.
INSERT INTO postings_event_type (value, doc)
SELECT d.event_type, d.doc FROM temp.fresh AS f CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
ORDER BY 1, 2;

INSERT INTO postings_aggregate_type (value, doc)
SELECT d.aggregate_type, d.doc FROM temp.fresh AS f CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
ORDER BY 1, 2;

INSERT INTO ${level}_aggregate (value, doc)
SELECT d.aggregate, d.doc FROM temp.fresh AS f CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
ORDER BY 1, 2;

INSERT INTO postings_version (value, doc)
SELECT d.version, d.doc FROM temp.fresh AS f CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
ORDER BY 1, 2;

INSERT INTO event_ids (event_id, doc)
SELECT d.event_id, d.doc FROM temp.fresh AS f CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
ORDER BY 1, 2;
