"""Events as they are told: what a row does not say itself follows from what it points to.

An event of a job needs only the job's id, one of a proposal only the proposal's, one of an
evaluation only the evaluation's: run, agent and the rest are theirs. `event_log` says it all.
"""

from __future__ import annotations

LOG = """
CREATE VIEW event_log AS
SELECT e.seq, e.at, e.kind,
       coalesce(e.run_id, j.run_id, p.run_id) AS run_id,
       coalesce(e.agent_id, j.agent_id, v.agent_id, p.agent_id) AS agent_id,
       coalesce(e.proposal_id, j.proposal_id) AS proposal_id,
       e.job_id,
       CASE e.kind
           WHEN 'evaluation.recorded' THEN json_object('benchmark', v.benchmark,
               'evaluation', v.id, 'seed', v.seed, 'stage', v.stage, 'verdict', v.verdict)
           WHEN 'job.queued' THEN json_object('job_kind', j.kind, 'stage', j.stage)
           ELSE e.data
       END AS data
FROM events e
LEFT JOIN jobs j ON j.id = e.job_id
LEFT JOIN proposals p ON p.id = coalesce(e.proposal_id, j.proposal_id)
LEFT JOIN evaluations v
    ON e.kind = 'evaluation.recorded' AND v.id = json_extract(e.data, '$.evaluation');
"""
