DROP TRIGGER users_report_truncation ON users;
DROP TRIGGER users_report_deletion ON users;
DROP TRIGGER users_report_change ON users;
DROP TRIGGER sessions_report_truncation ON sessions;
DROP TRIGGER sessions_report_deletion ON sessions;
DROP TRIGGER sessions_report_end ON sessions;
DROP FUNCTION auth_report_everything();
DROP FUNCTION auth_report_account();
DROP FUNCTION auth_report_session();
