ALTER TABLE users DROP COLUMN first_factor_at;
