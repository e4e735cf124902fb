"""The model types of transformers whose classes read a text and nothing else.

They are written down because to ask transformers for them, as `architectures.find_text_model_types` does, imports the
code of all of its models: every process that shares the tests would take six seconds for that before its first test.
`tests/models/capture/test_architectures.py` holds the list against the installed release.
"""

TEXT_MODEL_TYPES = [
    "afmoe", "albert", "apertus", "arcee", "aria_text", "axk1", "axk2", "bailing_hybrid", "bamba", "bart", "beam",
    "bert", "bert-generation", "big_bird", "bigbird_pegasus", "biogpt", "bitnet", "blenderbot",
    "blenderbot-small", "bloom", "blt", "camembert", "canine", "clip_text_model", "codegen", "cohere", "cohere2",
    "cohere2_moe", "cohere_compass_text", "convbert", "cosmos3_edge_text", "cpmant", "ctrl", "cwm",
    "data2vec-text", "dbrx", "deberta", "deberta-v2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "deepseek_v4",
    "diffllama", "distilbert", "doge", "dots1", "dots3_note_text", "dpr", "electra", "embedding_gemma2_text",
    "encoder-decoder", "ernie", "ernie4_5", "ernie4_5_moe", "esm", "esmc", "eurobert", "exaone4", "exaone_moe",
    "falcon", "falcon_h1", "falcon_mamba", "flaubert", "flex_olmo", "flint", "fnet", "fsmt", "funnel", "gemma",
    "gemma2", "gemma3_text", "gemma3n_text", "gemma4_text", "gemma4_unified_text", "glm", "glm4", "glm4_moe",
    "glm4_moe_lite", "glm4v_moe_text", "glm4v_text", "glm5_next_text", "glm_image_text", "glm_moe_dsa",
    "glm_ocr_text", "gpt-sw3", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_neox_japanese", "gpt_oss",
    "gptj", "granite", "granite_docling_text", "granite_swa", "granitemoe", "granitemoe_swa", "granitemoehybrid",
    "granitemoeshared", "gte", "helium", "hrm_text", "hunyuan_v1_dense", "hunyuan_v1_moe", "hunyuan_vl_text",
    "hy_v3", "hy_v4", "hyperclovax", "ibert", "inkling2_text", "inkling_text", "internlm3", "iquestcoder",
    "jais2", "jamba", "jetmoe", "jina_embeddings_v3", "kimi_linear", "kolibri1", "laguna", "layoutlm", "led",
    "lfm2", "lfm2_moe", "lfm3", "lilt", "llama", "llama4_text", "longcat_flash", "longformer", "longt5", "luke",
    "m2m_100", "mamba", "mamba2", "marian", "markuplm", "mbart", "megatron-bert", "mellum", "mimo_v2_flash",
    "minicpm3", "minimax", "minimax_m2", "minimax_m3_vl_text", "ministral", "ministral3", "mistral", "mistral4",
    "mistral_large4_text", "mixtral", "mobilebert", "modernbert", "modernbert-decoder", "molmo2_text", "mpnet",
    "mpt", "mra", "mt5", "muse_glimmer_text", "muse_spark_text", "mvp", "nanochat", "nemotron", "nemotron_h",
    "nllb-moe", "nomic_bert", "nystromformer", "olmo", "olmo2", "olmo3", "olmo_hybrid", "olmoe", "openai-gpt",
    "openai_privacy_filter", "opt", "pegasus", "pegasus_x", "persimmon", "phi", "phi3", "phimoe", "plbart",
    "prophetnet", "qwen2", "qwen2_5_vl_text", "qwen2_moe", "qwen2_vl_text", "qwen3", "qwen3_5_moe_text",
    "qwen3_5_text", "qwen3_moe", "qwen3_next", "qwen3_vl_moe_text", "qwen3_vl_text", "qwen4_exp_text",
    "recurrent_gemma", "reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "rwkv",
    "seamless_m4t", "seamless_m4t_v2", "seed_oss", "smollm3", "solar_open", "splinter", "squeezebert", "stablelm",
    "starcoder2", "switch_transformers", "t5", "t5gemma", "tapas", "tipsv2_text_model", "trocr", "ultrabert",
    "umt5", "vaultgemma", "xglm", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "xlstm", "xmod", "yoso",
    "youtu", "zamba", "zamba2", "zaya",
]  # fmt: skip
