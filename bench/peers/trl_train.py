"""TRL + PEFT on given token ids: seconds per training step and peak memory, as one line of JSON.

The step is the trainers' own: transformers' Trainer loop around TRL's compute_loss, backward, clip, AdamW. Only tokenization is
replaced, so that both sides train on the same ids. Pairs: {"pairs": [{"prompt": [..], "chosen": [..], "rejected": [..]}, ..]}.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="checkpoint directory; with --random-weights only its config.json is read")
    p.add_argument("--pairs", required=True, help="JSON file with token ids")
    p.add_argument("--loss", choices=["orpo", "exo_pair"], default="orpo")
    p.add_argument("--dtype", choices=["float32", "bf16"], default="float32", help="bf16: weights in bfloat16 and autocast, LoRA in float32")
    p.add_argument("--precompute-reference", action="store_true", help="exo_pair: reference log-probabilities before the first step")
    p.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    p.add_argument("--gradient-checkpointing", action="store_true")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--steps", type=int, default=5, help="timed steps")
    p.add_argument("--warmup", type=int, default=2, help="steps before the clock starts")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--learning-rate", type=float, default=1e-5)
    p.add_argument("--random-weights", action="store_true")
    return p.parse_args()


def peak_rss_mb() -> float:
    """VmHWM of this process in MiB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def busy_seconds() -> float:
    """Processor time that the whole machine has spent on anything, all cores together."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = (int(x) for x in stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    a = arguments()
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

    import torch
    import transformers
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import AutoConfig, AutoModelForCausalLM, TrainerCallback

    torch.set_num_threads(a.threads)
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore", FutureWarning)
    disable_progress_bars()

    with open(a.pairs) as f:
        pairs = json.load(f)["pairs"]
    steps = a.warmup + a.steps
    rows = [pairs[i % len(pairs)] for i in range(steps)]
    dtype = torch.float32 if a.dtype == "float32" else torch.bfloat16
    if a.random_weights:
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(a.model), dtype=dtype, attn_implementation=a.attention)
    else:
        model = AutoModelForCausalLM.from_pretrained(a.model, dtype=dtype, attn_implementation=a.attention)
    loaded_mb = peak_rss_mb()

    class Clock(TrainerCallback):
        """Times from the end of one step to the end of the next: data loading and logging count, as they do on our side."""

        def __init__(self) -> None:
            self.ends: list[tuple[float, float, float]] = []

        def on_step_end(self, args, state, control, **kwargs):
            if a.device == "cuda":
                torch.cuda.synchronize()
            self.ends.append((time.perf_counter(), time.process_time(), busy_seconds()))

    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        common = dict(
            output_dir=out,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=1,
            max_steps=steps,
            max_length=max(len(r["prompt"]) + max(len(r["chosen"]), len(r["rejected"])) for r in rows),
            learning_rate=a.learning_rate,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            beta=0.1,
            bf16=a.dtype == "bf16",
            gradient_checkpointing=a.gradient_checkpointing,
            use_cpu=a.device == "cpu",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=7,
        )
        lora = LoraConfig(
            r=a.rank,
            lora_alpha=2 * a.rank,
            lora_dropout=0.0,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            task_type="CAUSAL_LM",
        )
        build = orpo_trainer if a.loss == "orpo" else exo_trainer
        began = time.perf_counter()
        trainer = build(a, model, common, lora, Dataset, rows, clock)
        setup_s = time.perf_counter() - began
        trainer.train()

    steps_of = [tuple(y - x for x, y in zip(start, end)) for start, end in zip(clock.ends[a.warmup - 1 :], clock.ends[a.warmup :])]
    seconds = [wall for wall, _, _ in steps_of]
    median = statistics.median(seconds)
    unshared = statistics.mean(2 * len(r["prompt"]) + len(r["chosen"]) + len(r["rejected"]) for r in rows)
    logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    report = {
        "peer": f"trl {__import__('trl').__version__}, peft {__import__('peft').__version__}, torch {torch.__version__}",
        "loss": a.loss,
        "dtype": a.dtype,
        "device": torch.cuda.get_device_name() if a.device == "cuda" else "cpu",
        "attention": a.attention,
        "threads": torch.get_num_threads(),
        "precomputedReference": a.precompute_reference,
        "gradientCheckpointing": a.gradient_checkpointing,
        "secondsPerStep": round(median, 4),
        "secondsPerStepBest": round(min(seconds), 4),
        "seconds": [round(s, 3) for s in seconds],
        # Cores that this process had, and cores that others took meanwhile: a step with the second above 0.2 is a disturbed one.
        "ownCores": [round(own / wall, 2) for wall, own, _ in steps_of],
        "otherCores": [round(max(0.0, busy - own) / wall, 2) for wall, own, busy in steps_of],
        "setupSeconds": round(setup_s, 2),
        "tokensPerSecond": round(unshared / median, 1),
        "pairsPerSecond": round(1 / median, 4),
        "peakRssMb": round(peak_rss_mb(), 1),
        "loadedRssMb": round(loaded_mb, 1),
        "losses": [entry["loss"] for entry in logs],
        "gradNorms": [entry.get("grad_norm") for entry in logs],
    }
    if a.device == "cuda":
        report["peakDeviceMb"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    print(json.dumps(report), flush=True)


def tokenizer_of(a):
    """The checkpoint's tokenizer, or, where it has none, one of a few words: the ids are given, nothing is tokenized."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if os.path.exists(os.path.join(a.model, "tokenizer.json")):
        tokenizer = AutoTokenizer.from_pretrained(a.model)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer
    from tokenizers import Tokenizer, models

    words = {"<unk>": 0, "<s>": 1, "</s>": 2}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")), unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def orpo_trainer(a, model, common, lora, Dataset, rows, clock):
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    class IdsTrainer(ORPOTrainer):
        def tokenize_row(self, feature, model=None):
            batch = {"prompt_input_ids": feature["prompt_ids"], "prompt_attention_mask": [1] * len(feature["prompt_ids"])}
            for side in ("chosen", "rejected"):
                ids = feature["prompt_ids"] + feature[f"{side}_ids"]
                batch[f"{side}_input_ids"] = ids
                batch[f"{side}_attention_mask"] = [1] * len(ids)
                batch[f"{side}_labels"] = [-100] * len(feature["prompt_ids"]) + feature[f"{side}_ids"]
            return batch

    data = Dataset.from_list(
        [
            {"prompt": "p", "chosen": "c", "rejected": "r", "prompt_ids": r["prompt"], "chosen_ids": r["chosen"], "rejected_ids": r["rejected"]}
            for r in rows
        ]
    )
    args = ORPOConfig(**common, remove_unused_columns=False)
    return IdsTrainer(
        model=model, args=args, train_dataset=data, processing_class=tokenizer_of(a), peft_config=lora, callbacks=[clock]
    )


def exo_trainer(a, model, common, lora, Dataset, rows, clock):
    from trl import DPOConfig, DPOTrainer

    class IdsTrainer(DPOTrainer):
        def _prepare_dataset(self, dataset, *args, **kwargs):
            return dataset

    data = Dataset.from_list([{"prompt_ids": r["prompt"], "chosen_ids": r["chosen"], "rejected_ids": r["rejected"]} for r in rows])
    args = DPOConfig(**common, loss_type="exo_pair", label_smoothing=1e-3, precompute_ref_log_probs=a.precompute_reference)
    return IdsTrainer(model=model, args=args, train_dataset=data, processing_class=tokenizer_of(a), peft_config=lora, callbacks=[clock])


if __name__ == "__main__":
    main()
