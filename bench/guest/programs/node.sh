node /bench/work.js
