"""Every metric by name: what it is, whose definition, which function; source of docs/metrics.md.

A name stands for one definition. Where others use the name for something else, or compute it
otherwise, `beware` says how.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One metric.

    Attributes:
        name: in words.
        function: of `cambrian.evaluators.metrics`.
        definition: the formula.
        paper: where it was defined.
        key: what it is called in an evaluation's metrics; "" where no benchmark records it.
        beware: what goes by the same name elsewhere, or goes wrong there.
    """

    name: str
    function: str
    definition: str
    paper: str
    key: str = ""
    beware: str = ""


GEM = "Lopez-Paz & Ranzato 2017, arXiv 1706.08840"
RWALK = "Chaudhry 2018, RWalk, arXiv 1801.10112"
DIAZ = "Díaz-Rodríguez 2018, arXiv 1810.13166"
DE_LANGE = "De Lange 2023, arXiv 2205.13452"
L2M = "New 2022, arXiv 2201.08278"

SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Accuracy matrices": (
        Entry("Accuracy", "accuracy", "share of inputs whose largest score is at the label", "–"),
        Entry("Average accuracy, ACC", "average_accuracy", "1/T Σ_j R[T, j]", f"{GEM}, eq. 2",
              "accuracy"),
        Entry("Average incremental accuracy, AIA", "average_incremental_accuracy",
              "1/T Σ_k 1/k Σ_{j≤k} R[k, j]", "Rebuffi 2017, iCaRL", "average_incremental_accuracy",
              "class-incremental papers often mean the sample-weighted one below"),
        Entry("Sample-weighted incremental accuracy", "sample_weighted_incremental_accuracy",
              "1/T Σ_k (right of all test samples of tasks ≤ k) / (how many)",
              "Rebuffi 2017, iCaRL (figures)", "sample_weighted_incremental_accuracy"),
        Entry("Backward transfer, BWT", "backward_transfer", "1/(T−1) Σ_{j<T} R[T, j] − R[j, j]",
              f"{GEM}, eq. 3", "backward_transfer",
              "Continuum's loop is off by one; checked against Avalanche's own code"),
        Entry("Forward transfer, FWT", "forward_transfer", "1/(T−1) Σ_{j≥2} R[j−1, j] − b_j",
              f"{GEM}, eq. 4", "forward_transfer",
              "of the probes of `+each-batch` streams, b from a second learner of the same seed "
              "in a job of its own (decision 0042); b is the accuracy of the *untrained* "
              "model; Mammoth takes it from the trained, "
              "and gets 0 always; Continuum sums past tasks; checked against Avalanche's code"),
        Entry("Forgetting", "forgetting", "1/(T−1) Σ_{j<T} max_{j≤l<T} R[l, j] − R[T, j]",
              f"{RWALK}", "forgetting",
              "Avalanche's \"forgetting\" is first minus last (−BWT); Mammoth has the last row in "
              "the maximum, so that it is never negative"),
        Entry("Intransigence", "intransigence", "R*_k − R[k, k], R* trained jointly on tasks ≤ k",
              f"{RWALK}", "intransigence",
              "of the last task, where `calibration/joint.json` has the reference: the fine-tuning "
              "network trained to convergence, a mean over seeds"),
        Entry("Mean intransigence", "mean_intransigence", "1/T Σ_k of the above",
              "Wang 2024, arXiv 2302.00487", "mean_intransigence"),
        Entry("Díaz-Rodríguez accuracy", "diaz_rodriguez_accuracy",
              "mean of R[i, j], i ≥ j", f"{DIAZ}"),
        Entry("Díaz-Rodríguez BWT", "diaz_rodriguez_backward_transfer",
              "mean of R[i, j] − R[j, j], i > j", f"{DIAZ}", "",
              "another figure than BWT"),
        Entry("Díaz-Rodríguez FWT", "diaz_rodriguez_forward_transfer", "mean of R[i, j], i < j",
              f"{DIAZ}", "", "another figure than FWT: no baseline is taken off"),
        Entry("Learning curve area, LCA_β", "learning_curve_area",
              "1/(β+1) Σ_{b=0..β} mean accuracy after b batches of a task",
              "Chaudhry 2019, A-GEM, arXiv 1812.00420", "learning_curve_area",
              "of `+each-batch` streams only, β = 10; De Lange's code leaves b = 0 out"),
    ),
    "Continual evaluation": (
        Entry("min-ACC", "min_accuracy",
              "1/(k−1) Σ_{i<k} min_{t_i<n≤t} A(E_i, f_n)", f"{DE_LANGE}, eq. 3", "min_accuracy",
              "the reference code draws its test subset anew at every iteration, which biases "
              "minima down; ours is fixed"),
        Entry("WC-ACC", "worst_case_accuracy", "1/k A(E_k, f_t) + (1 − 1/k) min-ACC",
              f"{DE_LANGE}", "worst_case_accuracy",
              "windows and minima are of probes: of iterations on `+each-batch` streams only"),
        Entry("WF^ω", "windowed_forgetting",
              "mean over tasks of max_{m<n within ω probes} A_m − A_n", f"{DE_LANGE}",
              "windowed_forgetting_10", "also `windowed_forgetting_100`"),
        Entry("WP^ω", "windowed_plasticity",
              "mean over tasks of max_{m<n within ω probes} A_n − A_m", f"{DE_LANGE}",
              "windowed_plasticity_10",
              "also `windowed_plasticity_100`; the reference code's pruning is right for WF only: "
              "[.9, .1, .8] gains .7, not −.1"),
        Entry("Average anytime accuracy, AAA", "average_anytime_accuracy",
              "mean over probes of the mean accuracy on tasks seen so far",
              "Caccia 2022, arXiv 2104.05025", "average_anytime_accuracy"),
    ),
    "Lifelong logs (performances scaled to [1, 101] per task, training smoothed)": (
        Entry("Performance maintenance, PM", "performance_maintenance",
              "mean over later tests of TP − TP of the first test after the last training",
              f"{L2M}", "performance_maintenance"),
        Entry("Forward transfer between tasks, FT", "forward_transfers",
              "TP₂/TP₁ (ratio), (TP₂ − TP₁)/(TP₁ + TP₂) (contrast) around training another task, "
              "not trained itself", f"{L2M}", "",
              "the ratio explodes near the floor (12.6 on l2metrics' own example); l2metrics loses "
              "values where several tasks are trained between two tests; a lifetime's figure is "
              "the mean over pairs of the first value of each"),
        Entry("Backward transfer between tasks, BT", "backward_transfers",
              "the same, the task trained before", f"{L2M}", "backward_transfer_contrast",
              "also `backward_transfer_ratio`; FT, RP, SE and PR need tests ahead of training, "
              "experts or tasks that come again, which no stream of ours has: recorded nowhere"),
        Entry("Relative performance, RP", "relative_performance",
              "Σ first n / Σ expert's first n, n the shorter length", f"{L2M}"),
        Entry("Sample efficiency, SE", "sample_efficiency",
              "(sat/sat_expert) · (n_expert/n), n where the smoothed maximum is", f"{L2M}"),
        Entry("Performance recovery, PR", "performance_recovery",
              "−Theil-Sen slope of the recovery times", f"{L2M}"),
    ),
    "Plasticity": (
        Entry("τ-dormant units", "dormant_share",
              "share of units with E|h_i| / mean_k E|h_k| ≤ τ, over all layers",
              "Sokar 2023, arXiv 2302.12902", "claimed_dormant_share",
              "told by the learner's own process and checked by nothing, like all that begins "
              "with `claimed_` (plasticity streams); lop's two \"dormant\" counts are others: "
              "never active, and active on under 1 %"),
        Entry("Effective rank", "effective_rank", "exp(−Σ p log p), p = σ/‖σ‖₁",
              "Roy & Vetterli 2007", "claimed_effective_rank"),
        Entry("srank_δ", "srank", "min{k : Σ_{i≤k} σ_i / Σσ ≥ 1 − δ}",
              "Kumar 2021, arXiv 2010.14498", "", "lop calls it the stable rank"),
        Entry("Approximate rank", "approximate_rank", "the same with σ², 0.99",
              "Yang 2020, arXiv 1909.12255"),
        Entry("Stable rank", "stable_rank", "‖A‖²_F / σ₁²", "Rudelson & Vershynin 2007"),
        Entry("Weight magnitude", "weight_magnitude", "Σ|w| / #w", "Dohare 2024, Nature 632",
              "claimed_weight_magnitude"),
        Entry("Weight norm", "weight_norm", "‖w‖₂", "Lyle 2023, arXiv 2303.01486",
              "claimed_weight_norm"),
        Entry("Accuracy on the newest task", "newest_accuracy", "1/T Σ_k R[k, k]", "Dohare 2024",
              "newest_accuracy"),
        Entry("Slope on the newest task", "newest_task_slope",
              "least-squares slope of R[k, k] over k", "Dohare 2024", "newest_task_slope"),
    ),
    "Calibration": (
        Entry("Expected calibration error, ECE", "calibration_error",
              "Σ_m |B_m|/n |acc(B_m) − conf(B_m)|, 15 bins of equal width",
              "Guo 2017, arXiv 1706.04599", "calibration_error"),
    ),
    "Cost": (
        Entry("FLOPs of a linear layer", "linear_flops", "2·B·in·out",
              "torch.utils.flop_counter", "", "Avalanche's count takes the last axis of a "
              "three-dimensional input alone"),
        Entry("FLOPs of a convolution", "convolution_flops", "2·B·C_in·C_out·Πkernel·Πoutput",
              "torch.utils.flop_counter", "", "Avalanche's count leaves C_in out"),
        Entry("FLOPs of a step", "training_flops",
              "three forward passes, less the first layer's input gradient",
              "torch.utils.flop_counter"),
        Entry("Pareto front", "pareto_front", "points (cost, error) that none dominates",
              "Bornschein 2022, NEVIS'22, arXiv 2211.11747"),
        Entry("Hypervolume", "hypervolume", "Σ_i (c_{i+1} − c_i)(e_ref − e_i) over the front",
              "Zitzler & Thiele 1999", "", "say the reference point; FLOPs on a log scale "
              "(`front_hypervolume`)"),
    ),
}  # fmt: skip


def document() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made by `tools/metrics_docs.py` from `cambrian.evaluators.metrics.catalogue`; a test",
        "holds it against the code. R[i, j] is the accuracy on task j after training on task i, T",
        "the number of tasks; A(E_i, f_n) the accuracy on task i at probe n, t_i the probe at",
        "which its training ended; TP a block's terminal performance; σ singular values.",
        "",
        "One name, one definition. Each is tested on small matrices worked out by hand, by its",
        "bounds and invariances (hypothesis), and against the code of others where that is right:",
        "`tools/oracles.py` asks Avalanche 0.6.0, rliable 1.2.0 and l2metrics, and",
        "`tests/evaluators/oracles` holds what they answered. A metric that needs an entry which",
        "was not measured refuses it: NaN never passes for a number.",
        "",
        "Every answer of a learner is kept with its evaluation (one label per input, compressed),",
        "so that a figure thought of later can be had from runs that are over:",
        "`cambrian bench recompute ID`. `cambrian agent show ID` shows all that were recorded; so",
        "do `cambrian.open(path).evaluations()` and the JSON column `metrics` of the table",
        "`evaluations` (`cambrian sql`). What a benchmark cannot tell is absent there, never 0.",
    ]
    for title, entries in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        lines += ["| metric | function | definition | paper |", "|---|---|---|---|"]
        for entry in entries:
            row = (entry.name, f"`{entry.function}`", _cell(entry.definition), entry.paper)
            lines.append(f"| {' | '.join(row)} |")
        notes = [e for e in entries if e.key or e.beware]
        lines += [""] * bool(notes)
        for entry in notes:
            said = [f"recorded as `{entry.key}`"] * bool(entry.key) + [entry.beware]
            lines.append(f"- {entry.name}: {'; '.join(part for part in said if part)}.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
