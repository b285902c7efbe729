DROP TRIGGER second_factors_report_addition ON second_factors;
DROP FUNCTION auth_report_second_factor();
