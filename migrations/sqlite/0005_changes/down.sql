DROP TRIGGER users_report_deletion;
DROP TRIGGER users_report_change;
DROP TRIGGER sessions_report_deletion;
DROP TRIGGER sessions_report_end;
DROP TRIGGER changes_forget;
DROP TABLE changes;
