-- Where the data went, once it was moved to another store: nothing is served from here then.
CREATE TABLE moved (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  move   BLOB NOT NULL,     -- the id under which the other store knows it
  target TEXT NOT NULL,     -- for people: the address, without its password
  at     INTEGER NOT NULL,
  ended  INTEGER NOT NULL   -- 0: whether the other store has committed it is not known
) STRICT;
