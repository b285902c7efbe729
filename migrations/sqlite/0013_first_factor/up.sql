-- When an account first had a second factor, even if that one has been removed since: tokens that another issuer issued later
-- are not accepted while the account has a factor.
ALTER TABLE users ADD COLUMN first_factor_at INTEGER;
UPDATE users SET first_factor_at = (SELECT min(since) FROM second_factors WHERE user_id = users.id)
    WHERE id IN (SELECT user_id FROM second_factors);
UPDATE second_factors SET since = (SELECT first_factor_at FROM users WHERE id = second_factors.user_id);
