-- Changes nothing, but makes the commit wait until all that was committed before is as durable as it will be.
UPDATE {schema}.heads SET position = position WHERE partition = 0
