-- With how far the index goes, as above.
SELECT aggregate_type, aggregates, (SELECT indexed FROM state) FROM aggregate_counts
WHERE aggregate_type >= :prefix AND aggregate_type < :behind
