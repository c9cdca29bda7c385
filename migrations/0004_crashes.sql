-- Purpose: which claim the last crash was counted for, so that a worker that lives after all can have it taken back.
-- Lock: jobs exclusively for a moment; a column without a default rewrites nothing.
-- Undo: alter table jobs drop column crashed_claim_no.

alter table jobs add column crashed_claim_no integer;

comment on column jobs.crashes is 'Claims that expired unsettled, and whose worker has not come back to say that it lives.';
comment on column jobs.crashed_claim_no is 'The claim that the last of the crashes was counted for.';
