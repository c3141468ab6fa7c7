CREATE SCHEMA IF NOT EXISTS {schema};
-- What has been done to the schema. A version's pre-deploy step only adds, so servers of the version before run on; its
-- post-deploy step takes away what only they needed.
CREATE TABLE {schema}.schema_steps (
    version integer NOT NULL,
    step text NOT NULL CHECK (step IN ('pre', 'post')),
    done_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, step)
)
