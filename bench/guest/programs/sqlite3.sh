$BB sed "s/@ROWS@/$(scaled 60000)/" /bench/work.sql > script
sqlite3 -batch test.db < script
