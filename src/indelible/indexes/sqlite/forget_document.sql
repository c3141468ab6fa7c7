-- A document whose event comes again, when its values are not to be found any more.
DELETE FROM postings_event_type WHERE (value, doc) = (SELECT event_type, doc FROM documents WHERE doc = :doc);
DELETE FROM postings_aggregate_type WHERE (value, doc) = (SELECT aggregate_type, doc FROM documents WHERE doc = :doc);
DELETE FROM postings_aggregate WHERE (value, doc) = (SELECT aggregate, doc FROM documents WHERE doc = :doc);
DELETE FROM recent_aggregate WHERE (value, doc) = (SELECT aggregate, doc FROM documents WHERE doc = :doc);
DELETE FROM postings_version WHERE (value, doc) = (SELECT version, doc FROM documents WHERE doc = :doc);
DELETE FROM event_ids WHERE (event_id, doc) = (SELECT event_id, doc FROM documents WHERE doc = :doc);
DELETE FROM words WHERE rowid = :doc;
DELETE FROM document_values WHERE doc = :doc;
DELETE FROM documents WHERE doc = :doc;
