-- A second factor that is added is a change of its account: guarded routes that let in tokens of no session must ask again.
-- One that is used or removed lets in no token that was refused before.
CREATE TRIGGER second_factors_report_addition AFTER INSERT ON second_factors
BEGIN
    INSERT INTO changes (what) VALUES ('u:' || NEW.user_id);
END;
