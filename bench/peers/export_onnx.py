"""A checkpoint to the folder that transformers.js loads: config.json and onnx/model.onnx with its data, by onnxruntime-genai's builder.

Weights as the runtime serves them best on a CPU: float32, or blocks of 32 in 8 or 4 bits (MatMulNBits, integer arithmetic).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import onnx


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="checkpoint directory")
    p.add_argument("--out", required=True, help="folder to write")
    p.add_argument("--precision", choices=["fp32", "int8", "int4"], default="fp32")
    a = p.parse_args()

    folder = os.path.join(a.out, "onnx")
    os.makedirs(folder, exist_ok=True)
    # Only the last position's logits: the others would be 200 kB a prompt token that nobody reads.
    options = ["prune_lm_head=true"]
    if a.precision != "fp32":
        options += ["accuracy_level=4", "block_size=32"]
    with tempfile.TemporaryDirectory() as cache:
        builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", a.model, "-o", folder, "-p", a.precision, "-e", "cpu", "-c", cache]
        subprocess.run([*builder, "--extra_options", *options], check=True, stdout=sys.stderr)

    with open(os.path.join(a.model, "config.json")) as file:
        config = json.load(file)
    config.setdefault("head_dim", config["hidden_size"] // config["num_attention_heads"])
    name_head_dim(os.path.join(folder, "model.onnx"), config["head_dim"])
    with open(os.path.join(a.out, "config.json"), "w") as file:
        json.dump(config, file)


def name_head_dim(path: str, head_dim: int) -> None:
    """The builder leaves the caches' last dimension open; transformers.js makes its first, empty caches from these shapes."""
    model = onnx.load(path, load_external_data=False)
    for value in [*model.graph.input, *model.graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == "kv_cache_dim":
                dim.dim_value = head_dim
    onnx.save(model, path)


if __name__ == "__main__":
    main()
