-- What came last joins what came before it. Sorted, so that as many entries as may be go to one page.
INSERT INTO postings_$of (value, doc) SELECT value, doc FROM recent_$of ORDER BY 1, 2;
DELETE FROM recent_$of;
