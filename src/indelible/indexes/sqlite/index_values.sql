-- As index_documents does, for one field.
INSERT INTO ${level}_$number (value, doc)
SELECT v.value, v.doc
FROM temp.fresh AS f
CROSS JOIN documents AS d ON d.doc BETWEEN f.low AND f.high
CROSS JOIN document_values AS v ON v.doc = d.doc AND v.field = $number
ORDER BY 1, 2;
