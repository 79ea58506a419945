//! Data sources of arcly-http: embedded SQLite, migrations, transactions.
