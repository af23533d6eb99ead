"""Tiny checkpoints of the real classes, with random weights: built from a configuration, saved as a model folder is, a few hundred thousand parameters each.

Each function writes one folder and returns it. What they say is nonsense; that they load, batch and answer as the real ones do is the point.
"""
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXT = ['A red car is waiting at the line. A woman in green is walking to the left.', 'The traffic light is red. The blue pan is on the stove.',
        'Describe this video frame. Answer with one JSON object: {"keep": true}', 'system user assistant 0 1 2 3 4 5 6 7 8 9']


def tokens(special, template=None, **named):
    "A byte-level tokenizer with its special tokens and a chat template"
    t = Tokenizer(models.BPE()); t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok = PreTrainedTokenizerFast(tokenizer_object=t, pad_token=special[0], eos_token=special[1], **named)
    if template: tok.chat_template = template
    return tok

def chatml(image):
    return ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
            "{% if c['type'] == 'image' %}" + image + "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

CHAT = ['<|pad|>', '<|im_end|>', '<|im_start|>']

SMALL = dict(side=56, patch=14, vision=(64, 2), text=(64, 2)) # pixels of a picture and of a patch; width and layers

def text_config(tok, size=SMALL, **more):
    width, layers = size['text']
    return dict(vocab_size=len(tok), hidden_size=width, intermediate_size=2*width, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2, initializer_range=.2, max_position_embeddings=4096,
                pad_token_id=tok.pad_token_id, eos_token_id=tok.eos_token_id, bos_token_id=None, tie_word_embeddings=False, **more)

def save(folder, model, *parts):
    model.eval().save_pretrained(folder)
    for p in parts: p.save_pretrained(folder)
    return folder


def lm(folder, template=True):
    "A Qwen2 language model"
    from transformers import Qwen2Config, Qwen2ForCausalLM
    torch.manual_seed(0)
    tok = tokens(CHAT, chatml('') if template else None)
    return save(folder, Qwen2ForCausalLM(Qwen2Config(**text_config(tok))), tok)

def vision_config(size, **more):
    width, layers = size['vision']
    return dict(hidden_size=width, intermediate_size=2*width, num_hidden_layers=layers, num_attention_heads=4, image_size=size['side'], patch_size=size['patch']) | more

def llava(folder, size=SMALL):
    "LLaVA: SigLIP and Qwen2, as LLaVA-NeXT-Interleave has them"
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, Qwen2Config, SiglipImageProcessorPil, SiglipVisionConfig
    torch.manual_seed(0)
    tok = tokens(CHAT + ['<image>'], chatml('<image>\n'))
    vision = SiglipVisionConfig(**vision_config(size))
    config = LlavaConfig(vision_config=vision, text_config=Qwen2Config(**text_config(tok, size)), image_token_id=tok.convert_tokens_to_ids('<image>'), vision_feature_layer=-1,
                         vision_feature_select_strategy='full', image_seq_length=(size['side']//size['patch'])**2)
    images = SiglipImageProcessorPil(size={'height': size['side'], 'width': size['side']})
    processor = LlavaProcessor(images, tok, patch_size=size['patch'], vision_feature_select_strategy='full', chat_template=tok.chat_template, num_additional_image_tokens=0)
    return save(folder, LlavaForConditionalGeneration(config), processor)

def parts(folder, name, images, tok, **more):
    "A processor's files, for processors that cannot be made without torchvision"
    import json
    images.save_pretrained(folder); tok.save_pretrained(folder)
    (folder/'processor_config.json').write_text(json.dumps({'processor_class': name, **more}))

def internvl(folder, size=SMALL):
    "InternVL: InternViT and Qwen2"
    from transformers import GotOcr2ImageProcessorPil, InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config
    torch.manual_seed(0)
    extra = dict(start_image_token='<img>', end_image_token='</img>', context_image_token='<IMG_CONTEXT>', video_token='<video>')
    tok = tokens(CHAT + list(extra.values()), chatml('<IMG_CONTEXT>\n'), extra_special_tokens=extra)
    vision = InternVLVisionConfig(**vision_config(size, image_size=[size['side']]*2, patch_size=[size['patch']]*2), initializer_range=.2, layer_scale_init_value=1.)
    config = InternVLConfig(vision_config=vision, text_config=Qwen2Config(**text_config(tok, size)), image_token_id=tok.convert_tokens_to_ids('<IMG_CONTEXT>'), image_seq_length=(size['side']//size['patch']//2)**2)
    save(folder, InternVLForConditionalGeneration(config))
    parts(folder, 'InternVLProcessor', GotOcr2ImageProcessorPil(size={'height': size['side'], 'width': size['side']}), tok, image_seq_length=(size['side']//size['patch']//2)**2)
    return folder

def qwen_vl(folder, size=SMALL):
    "Qwen2.5-VL"
    from transformers import Qwen2VLImageProcessorPil, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    torch.manual_seed(0)
    special = ['<|vision_start|>', '<|vision_end|>', '<|image_pad|>', '<|video_pad|>']
    tok = tokens(CHAT + special, chatml('<|vision_start|><|image_pad|><|vision_end|>'))
    start, end, image, video = map(tok.convert_tokens_to_ids, special)
    vision = dict(depth=size['vision'][1], hidden_size=size['vision'][0], out_hidden_size=size['text'][0], num_heads=4, intermediate_size=2*size['vision'][0], patch_size=14, window_size=56, fullatt_block_indexes=[1])
    text = text_config(tok, size, rope_parameters={'type': 'mrope', 'rope_type': 'default', 'mrope_section': [size['text'][0]//32, size['text'][0]*3//64, size['text'][0]*3//64], 'rope_theta': 10000.})
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=text, image_token_id=image, video_token_id=video, vision_start_token_id=start, vision_end_token_id=end)
    save(folder, Qwen2_5_VLForConditionalGeneration(config))
    parts(folder, 'Qwen2_5_VLProcessor', Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, size={'shortest_edge': 28*28, 'longest_edge': max(28*28*16, size['side']**2)}), tok)
    return folder

def llava15(folder):
    "LLaVA-1.5: CLIP, whose first token is dropped, and Llama; its template puts all pictures before all text"
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    torch.manual_seed(0)
    template = ("{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n{% endif %}{% endfor %}"
                "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %} {% if m['role'] == 'assistant' %}</s>{% endif %}{% endfor %}"
                "{% if add_generation_prompt %}ASSISTANT:{% endif %}")
    tok = tokens(['<pad>', '</s>', '<image>'], template)
    vision = CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=56, patch_size=14)
    config = LlavaConfig(vision_config=vision, text_config=LlamaConfig(**text_config(tok)), image_token_id=tok.convert_tokens_to_ids('<image>'), vision_feature_layer=-1, image_seq_length=16)
    images = CLIPImageProcessorPil(size={'shortest_edge': 56}, crop_size={'height': 56, 'width': 56})
    processor = LlavaProcessor(images, tok, patch_size=14, vision_feature_select_strategy='default', chat_template=tok.chat_template, num_additional_image_tokens=1)
    return save(folder, LlavaForConditionalGeneration(config), processor)

def llava_next_video(folder):
    "LLaVA-NeXT-Video: CLIP and Llama, pictures in tiles"
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextImageProcessorPil, LlavaNextVideoConfig, LlavaNextVideoForConditionalGeneration
    torch.manual_seed(0)
    tok = tokens(CHAT + ['<image>', '<video>'], chatml('<image>\n'))
    vision, grid = CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=56, patch_size=14), [[56, 112], [112, 56]]
    config = LlavaNextVideoConfig(vision_config=vision, text_config=LlamaConfig(**text_config(tok)), image_token_id=tok.convert_tokens_to_ids('<image>'), video_token_id=tok.convert_tokens_to_ids('<video>'),
                                  vision_feature_layer=-1, image_grid_pinpoints=grid)
    save(folder, LlavaNextVideoForConditionalGeneration(config))
    images = LlavaNextImageProcessorPil(size={'shortest_edge': 56}, crop_size={'height': 56, 'width': 56}, image_grid_pinpoints=grid)
    parts(folder, 'LlavaNextVideoProcessor', images, tok, patch_size=14, vision_feature_select_strategy='default', num_additional_image_tokens=1)
    return folder

def llava_onevision(folder):
    "LLaVA-OneVision: SigLIP and Qwen2; one picture alone comes in tiles, several come whole"
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, LlavaOnevisionImageProcessorPil, Qwen2Config, SiglipVisionConfig
    torch.manual_seed(0)
    tok, grid = tokens(CHAT + ['<image>', '<video>'], chatml('<image>\n')), [[56, 56], [56, 112], [112, 56], [112, 112]]
    image, video = tok.convert_tokens_to_ids(['<image>', '<video>'])
    config = LlavaOnevisionConfig(vision_config=SiglipVisionConfig(**vision_config(SMALL)), text_config=Qwen2Config(**text_config(tok)), image_token_index=image, video_token_index=video, image_grid_pinpoints=grid)
    save(folder, LlavaOnevisionForConditionalGeneration(config))
    parts(folder, 'LlavaOnevisionProcessor', LlavaOnevisionImageProcessorPil(size={'height': 56, 'width': 56}, image_grid_pinpoints=grid), tok, num_image_tokens=16, vision_feature_select_strategy='full')
    return folder

def qwen2_vl(folder):
    "Qwen2-VL"
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
    vision = dict(depth=2, embed_dim=64, hidden_size=64, num_heads=4, mlp_ratio=2, patch_size=14)
    return _qwen(folder, Qwen2VLConfig, Qwen2VLForConditionalGeneration, 'Qwen2VLProcessor', vision, 14, mrope_section=[2, 3, 3])

def qwen3_vl(folder):
    "Qwen3-VL"
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
    vision = dict(depth=2, hidden_size=64, out_hidden_size=64, num_heads=4, intermediate_size=128, patch_size=16, num_position_embeddings=64, deepstack_visual_indexes=[0])
    return _qwen(folder, Qwen3VLConfig, Qwen3VLForConditionalGeneration, 'Qwen3VLProcessor', vision, 16, head_dim=16, mrope_section=[2, 3, 3])

def _qwen(folder, config, model, processor, vision, patch, mrope_section, **text):
    from transformers import Qwen2VLImageProcessorPil
    torch.manual_seed(0)
    special = ['<|vision_start|>', '<|vision_end|>', '<|image_pad|>', '<|video_pad|>']
    tok = tokens(CHAT + special, chatml('<|vision_start|><|image_pad|><|vision_end|>'))
    start, end, image, video = map(tok.convert_tokens_to_ids, special)
    rope = {'type': 'mrope', 'rope_type': 'default', 'mrope_section': mrope_section, 'rope_theta': 10000.}
    ids = dict(image_token_id=image, video_token_id=video, vision_start_token_id=start, vision_end_token_id=end)
    save(folder, model(config(vision_config=vision, text_config=text_config(tok, rope_parameters=rope, **text), **ids)))
    parts(folder, processor, Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size={'shortest_edge': 4*patch*patch, 'longest_edge': 64*patch*patch}), tok)
    return folder

def smolvlm(folder, size=SMALL):
    "SmolVLM: SigLIP and Llama"
    from transformers import LlamaConfig, SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessorPil, SmolVLMVisionConfig
    torch.manual_seed(0)
    special = ['<image>', '<fake_token_around_image>', '<global-img>', '<end_of_utterance>', '<video>']
    tok = tokens(CHAT + special, chatml('<image>'))
    vision = SmolVLMVisionConfig(**vision_config(size))
    config = SmolVLMConfig(vision_config=vision, text_config=LlamaConfig(**text_config(tok, size)), image_token_id=tok.convert_tokens_to_ids('<image>'), scale_factor=2, pad_token_id=tok.pad_token_id)
    save(folder, SmolVLMForConditionalGeneration(config))
    parts(folder, 'SmolVLMProcessor', SmolVLMImageProcessorPil(size={'longest_edge': size['side']}, max_image_size={'longest_edge': size['side']}), tok, image_seq_len=(size['side']//size['patch']//2)**2)
    return folder

def adapter(folder, base, **more):
    "A PEFT folder for a base, made with PEFT alone: LoRA with random numbers on some layers of the language model"
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText
    torch.manual_seed(1)
    net = get_peft_model(AutoModelForImageTextToText.from_pretrained(base), LoraConfig(**{'r': 4, 'lora_alpha': 8, 'target_modules': r'.*language_model.*\.(q_proj|v_proj|down_proj)', **more}))
    for n, p in net.named_parameters():
        if 'lora_B' in n: torch.nn.init.normal_(p, std=.1)
    net.save_pretrained(folder)
    return folder


def words(size, **fixed):
    "A WordPiece tokenizer; `fixed` says which id a token has"
    from transformers import BertTokenizer
    found = sorted({w for t in TEXT for w in t.lower().replace('.', ' ').replace(':', ' ').split()})
    letters = [c for c in 'abcdefghijklmnopqrstuvwxyz0123456789'] + ['##'+c for c in 'abcdefghijklmnopqrstuvwxyz0123456789']
    taken, rest = {i: t for t, i in fixed.items()}, iter(dict.fromkeys(letters + found))
    vocab = {(taken[i] if i in taken else next(rest, f'[unused{i}]')): i for i in range(size)}
    return BertTokenizer(vocab=vocab)

def dino(folder):
    "GroundingDINO: Swin and BERT. Its code knows the ids of [CLS], [SEP], '.' and '?' by heart, so they stand where BERT has them"
    from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, GroundingDinoImageProcessorPil, GroundingDinoProcessor, SwinConfig
    torch.manual_seed(0)
    tok = words(1040, **{'[PAD]': 0, '[UNK]': 100, '[CLS]': 101, '[SEP]': 102, '[MASK]': 103, '.': 1012, '?': 1029})
    swin = SwinConfig(image_size=128, embed_dim=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], window_size=4, out_indices=[2, 3, 4])
    bert = BertConfig(vocab_size=1040, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=128)
    config = GroundingDinoConfig(backbone_config=swin, text_config=bert, d_model=64, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=128, decoder_ffn_dim=128,
                                 encoder_attention_heads=4, decoder_attention_heads=4, num_queries=20, num_feature_levels=4)
    images = GroundingDinoImageProcessorPil(size={'shortest_edge': 96, 'longest_edge': 128})
    return save(folder, GroundingDinoForObjectDetection(config), GroundingDinoProcessor(images, tok))

def clip(folder):
    "CLIP"
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor
    torch.manual_seed(0)
    t = tokens(['<|pad|>', '<|endoftext|>', '<|startoftext|>'])
    start, end = t.convert_tokens_to_ids(['<|startoftext|>', '<|endoftext|>'])
    t.backend_tokenizer.post_processor = processors.TemplateProcessing(single='<|startoftext|> $A <|endoftext|>', special_tokens=[('<|startoftext|>', start), ('<|endoftext|>', end)])
    small = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, projection_dim=32)
    config = CLIPConfig(text_config=dict(small, vocab_size=len(t), max_position_embeddings=77, pad_token_id=t.pad_token_id, bos_token_id=start, eos_token_id=end),
                        vision_config=dict(small, image_size=56, patch_size=14), projection_dim=32)
    images = CLIPImageProcessorPil(size={'shortest_edge': 56}, crop_size={'height': 56, 'width': 56})
    return save(folder, CLIPModel(config), CLIPProcessor(images, t))

def bge(folder, modules=True):
    "BGE-M3's kind: XLM-RoBERTa, the first token's vector, normalised"
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import XLMRobertaConfig, XLMRobertaModel
    torch.manual_seed(0)
    tok = tokens(['<pad>', '</s>', '<s>', '<unk>'], unk_token='<unk>', bos_token='<s>')
    tok.backend_tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A </s>', special_tokens=[('<s>', 2), ('</s>', 1)])
    config = XLMRobertaConfig(vocab_size=len(tok), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=130, pad_token_id=tok.pad_token_id)
    save(folder, XLMRobertaModel(config), tok)
    if modules:
        body = Transformer(str(folder), max_seq_length=128)
        SentenceTransformer(modules=[body, Pooling(64, pooling_mode='cls'), Normalize()], device='cpu').save(str(folder))
    return folder

def two_passes(r, ask, limits=(512, 512), keep=False):
    "Evidence and answer as two requests that know nothing of each other: everything is read twice, by transformers' own `generate`. Token ids of both; with `keep` the processor's work is done once"
    def write(batch, limit):
        out = r.model.generate(**batch, max_new_tokens=limit, do_sample=False, eos_token_id=r.ends, pad_token_id=r.pad, suppress_tokens=[r.processor.image_token_id])
        return out[0, batch['input_ids'].shape[1]:].tolist()
    with torch.inference_mode():
        first = r.encode([ask])
        evidence = write(first, limits[0])
        batch = dict(first) if keep else r.encode([ask])
        more = torch.tensor([[t for t in evidence if t not in r.ends] + r.bridge])
        for name, fill in ('input_ids', more), ('attention_mask', more*0 + 1), ('mm_token_type_ids', more*0):
            if name in batch: batch[name] = torch.cat([batch[name], fill.to(batch[name])], 1)
        return evidence, write(batch, limits[1])
