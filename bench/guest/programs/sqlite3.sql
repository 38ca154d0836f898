-- A table is generated, indexed, joined, aggregated, changed, and searched.
PRAGMA journal_mode = WAL;
PRAGMA cache_size = 2000;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, region TEXT, balance REAL);
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INTEGER, product INTEGER, amount REAL, day TEXT, note TEXT);
BEGIN;
INSERT INTO customer
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @ROWS@ / 20 + 10)
  SELECT i, printf('customer-%05d', i * 7919 % 99991), substr('northsoutheastwest', i % 4 * 4 + 1, 4), i % 1000 / 7.0 FROM n;
INSERT INTO sale
  WITH RECURSIVE n(i, x) AS (SELECT 1, 42 UNION ALL SELECT i + 1, x * 16807 % 2147483647 FROM n WHERE i < @ROWS@)
  SELECT i, 1 + x % (@ROWS@ / 20 + 10), x % 97, (x % 100000) / 100.0, date('2020-01-01', (x % 1000) || ' days'),
    'note ' || hex(x) || CASE x % 5 WHEN 0 THEN ' urgent' WHEN 1 THEN ' late' ELSE '' END
  FROM n;
COMMIT;
CREATE INDEX sale_customer ON sale (customer, day);
CREATE INDEX sale_product ON sale (product);
SELECT count(*), sum(amount), min(day), max(day) FROM sale;
SELECT region, count(*), round(sum(amount), 2), round(avg(balance), 4)
  FROM customer JOIN sale ON sale.customer = customer.id GROUP BY region ORDER BY region;
SELECT name, total FROM (
  SELECT customer.name, sum(amount) AS total FROM customer JOIN sale ON sale.customer = customer.id
  WHERE sale.note LIKE '%urgent%' GROUP BY customer.id) ORDER BY total DESC, name LIMIT 10;
SELECT strftime('%Y-%m', day) AS month, count(DISTINCT customer), round(sum(amount), 2) FROM sale GROUP BY month;
SELECT product, day, amount, round(sum(amount) OVER (PARTITION BY product ORDER BY day, id ROWS 3 PRECEDING), 2)
  FROM sale WHERE product < 3 ORDER BY product, day, id LIMIT 50;
BEGIN;
UPDATE customer SET balance = balance + (SELECT ifnull(sum(amount), 0) FROM sale WHERE sale.customer = customer.id);
DELETE FROM sale WHERE product % 10 = 3;
COMMIT;
SELECT round(sum(balance), 3) FROM customer;
SELECT a.product, count(*) FROM sale a JOIN sale b ON a.customer = b.customer AND a.day = b.day AND a.id < b.id
  GROUP BY a.product ORDER BY 2 DESC, 1 LIMIT 5;
WITH RECURSIVE
  x(v) AS (VALUES(-2.0) UNION ALL SELECT v + 0.1 FROM x WHERE v < 1.1),
  y(v) AS (VALUES(-1.0) UNION ALL SELECT v + 0.1 FROM y WHERE v < 0.9),
  m(i, cx, cy, x, y) AS (
    SELECT 0, x.v, y.v, 0.0, 0.0 FROM x, y
    UNION ALL SELECT i + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy FROM m WHERE x * x + y * y < 4.0 AND i < 40)
  SELECT count(*), max(i), round(sum(x), 6) FROM m;
SELECT json_group_array(json_object('id', id, 'note', note)) FROM (SELECT * FROM sale ORDER BY day, id LIMIT 200);
PRAGMA integrity_check;
VACUUM;
SELECT length(group_concat(quote(note), ';')) FROM sale;
