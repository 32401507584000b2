/* SPDX-License-Identifier: Apache-2.0
 * The fields of a model's configuration, each described once, in the order of the reference's `Config`. The JSON reader
 * and writer, icseg_config_check and the recipe's `model.*` keys are made from this list.
 *
 * Included wherever the list is needed, after defining
 *     FIELD(name, member, type, usage, ...)
 * where `member` is the field of icseg_config (the first element of an array), `type` one of ICSEG_FIELD_*,
 * `usage` says when the field is used, and the rest are the help, limits and words of its icseg_option. */

#define SIZE        ICSEG_BETWEEN(1, 65536)
#define HEADS       ICSEG_BETWEEN(1, 4096)
#define DEPTH       ICSEG_BETWEEN(1, 1000)
#define COUNT       ICSEG_BETWEEN(1, INT32_MAX)
#define PROBABILITY ICSEG_BETWEEN(0, 1), .open_high = true
#define LOSS_WEIGHT ICSEG_BETWEEN(0, 1e30)

FIELD(backbone, backbone, WORD, ALWAYS, "family of the image encoder", .words = icseg_backbone_words)
FIELD(resnet_layers, resnet_layers[0], INTS, RESNET, "ResNet: number of blocks in each of the four stages",
      ICSEG_EXACTLY(4), DEPTH)
FIELD(resnet_width, resnet_width, INT, RESNET, "ResNet: width of the stem (channels)", ICSEG_BETWEEN(2, 2048))
FIELD(vit_patch, vit_patch, INT, VIT, "ViT: side of a patch (pixels)", ICSEG_BETWEEN(4, 256))
FIELD(vit_width, vit_width, INT, VIT, "ViT: width of a token (channels)", SIZE)
FIELD(vit_layers, vit_layers, INT, VIT, "ViT: number of blocks", ICSEG_BETWEEN(ICSEG_LEVELS, 1000))
FIELD(vit_heads, vit_heads, INT, VIT, "ViT: number of attention heads", HEADS)
FIELD(vit_taps, vit_taps[0], INTS, VIT, "ViT: blocks, counted from 0, whose outputs feed the four levels",
      ICSEG_EXACTLY(4), ICSEG_BETWEEN(0, 999))
FIELD(vit_drop_path, vit_drop_path, FLOAT, ALWAYS,
      "ViT: stochastic depth of the last block (probability), growing linearly from 0; " ICSEG_DIGITS(
          ICSEG_VIT_DROP_PATH) " with the presets of ViTs",
      PROBABILITY)
FIELD(pos_grid, pos_grid, INT, ALWAYS, "side of the stored grid of positional embeddings (positions)",
      ICSEG_BETWEEN(1, 1024))
FIELD(embed_dim, embed_dim, INT, ALWAYS, "width of the joint embedding (channels)", SIZE)
FIELD(text_width, text_width, INT, ALWAYS, "text transformer: width of a token (channels)", SIZE)
FIELD(text_heads, text_heads, INT, ALWAYS, "text transformer: number of attention heads", HEADS)
FIELD(text_layers, text_layers, INT, ALWAYS, "text transformer: number of blocks", DEPTH)
FIELD(vocab_size, vocab_size, INT, ALWAYS, "text transformer: size of the vocabulary (tokens); follows the tokenizer",
      ICSEG_BETWEEN(3, 1 << 22))
FIELD(context_length, context_length, INT, ALWAYS, "text transformer: length of the longest sequence (tokens)",
      ICSEG_BETWEEN(3, 65536))
FIELD(prompt, prompt, WORD, ALWAYS,
      "template: no learnt context; static: one context for all images (CoOp); instance: conditioned on the image "
      "(ICPC)",
      .words = icseg_prompt_words)
FIELD(prompt_tokens, prompt_tokens, INT, LEARNT_PROMPT, "length of the learnt context (tokens)", SIZE)
FIELD(prompt_width, prompt_width, INT, INSTANCE, "prompt learner: width (channels)", SIZE)
FIELD(prompt_heads, prompt_heads, INT, PROMPT_DECODER, "prompt learner: number of attention heads", HEADS)
FIELD(prompt_layers, prompt_layers, INT, PROMPT_DECODER, "prompt learner: number of decoder layers", DEPTH)
FIELD(post_prompt, post_prompt, BOOL, ALWAYS, "adds DenseCLIP's context decoder after the text encoder")
FIELD(post_width, post_width, INT, POST, "context decoder: width (channels)", SIZE)
FIELD(post_heads, post_heads, INT, POST, "context decoder: number of attention heads", HEADS)
FIELD(post_layers, post_layers, INT, POST, "context decoder: number of layers", DEPTH)
FIELD(
    align_strides, align[0], SET, ALWAYS,
    "strides that have a score map; must contain the embedding stride (32 for ResNet, 16 for ViT), or be empty: a "
    "plain Semantic FPN, to which class names mean nothing; with a vit_patch other than 16, these are the names of the "
    "strides patch/4, patch/2, patch and 2 patch",
    .members = icseg_strides, .capacity = ICSEG_LEVELS)
FIELD(align_dim, align_dim, INT, PROJECTED, "width in which the other strides are aligned (channels)", SIZE)
FIELD(tau, tau, FLOAT, ALWAYS, "temperature of the alignment losses",
      ICSEG_BETWEEN(1e-30, 1e30)) /* scores are divided by it: neither 0 nor infinite as a float */
FIELD(fpn_dim, fpn_dim, INT, ALWAYS, "width of the decoder (channels)", SIZE)
FIELD(num_classes, num_classes, INT, ALWAYS, "number of classes; 0 in a recipe: those of the data set",
      ICSEG_BETWEEN(0, 16384))
FIELD(dropout, dropout, FLOAT, ALWAYS,
      "dropout in the prompt learner and the context decoder, and of channels before the classifier (probability)",
      PROBABILITY)
FIELD(align_weights, align_weights[0], KEYED, ALWAYS,
      "weight of the alignment loss at each of align_strides; a list is in ascending order of strides",
      .members = icseg_strides, .capacity = ICSEG_LEVELS, LOSS_WEIGHT)
FIELD(contrast_weight, contrast_weight, FLOAT, ALWAYS, "weight of the align-guided contrastive loss; 0 turns it off",
      LOSS_WEIGHT)
FIELD(contrast_positives, contrast_positives, INT, CONTRAST, "contrastive loss: positives of an anchor (positions)",
      COUNT)
FIELD(contrast_negatives, contrast_negatives, INT, CONTRAST, "contrastive loss: negatives of an anchor (positions)",
      COUNT)
FIELD(activation, activation, WORD, ALWAYS,
      "activation of CLIP's transformers: quick_gelu for OpenAI's weights, gelu for most of LAION's, DataComp's and "
      "others",
      .words = icseg_activation_words)
FIELD(vit_mlp_width, vit_mlp_width, INT, VIT, "ViT: width of the MLP of a block (channels); 0: four times vit_width",
      ICSEG_BETWEEN(0, 262144))
FIELD(prompt_source, prompt_source, WORD, INSTANCE,
      "prompt learner: tokens: reads the image's embedding at every position; global: two linear layers of its global "
      "embedding (CoCoOp); regions: reads the means of squares of positions",
      .words = icseg_prompt_source_words)
FIELD(prompt_region, prompt_region, INT, REGIONS, "prompt learner: side of a region (positions)",
      ICSEG_BETWEEN(1, 1024))
FIELD(prompt_depth, prompt_depth, INT, LEARNT_PROMPT,
      "blocks of the text transformer before which a learnt context is added to the prompt's tokens; 1: its input",
      DEPTH)
FIELD(contrast_anchor, contrast_anchor, WORD, CONTRAST,
      "contrastive loss: text: a class is compared with positions; image: a position with classes; both: their mean",
      .words = icseg_contrast_anchor_words)
FIELD(contrast_selection, contrast_selection, WORD, CONTRAST,
      "contrastive loss: which positives and negatives: the hardest (hard), random ones of the hardest tenth "
      "(semi_hard), or random ones of all (random)",
      .words = icseg_contrast_selection_words)
FIELD(contrast_strides, contrast_strides[0], SET, CONTRAST,
      "contrastive loss: strides of align_strides whose score maps it compares; []: the embedding stride",
      .members = icseg_strides, .capacity = ICSEG_LEVELS)
FIELD(contrast_tau, contrast_tau, FLOAT, CONTRAST, "contrastive loss: temperature; 0: tau", ICSEG_BETWEEN(0, 1e30))
FIELD(contrast_memory, contrast_memory, INT, CONTRAST,
      "contrastive loss: mean embeddings of earlier images that are kept of each class, as further positives and "
      "negatives",
      ICSEG_BETWEEN(0, 1024))
FIELD(label_smoothing, label_smoothing, FLOAT, ALWAYS,
      "decode loss: share of each pixel's target that is spread evenly over all classes", PROBABILITY)
FIELD(focal_gamma, focal_gamma, FLOAT, ALWAYS,
      "decode loss: focal loss; a pixel whose label has probability p counts (1 - p)^focal_gamma times; 0: once",
      ICSEG_BETWEEN(0, 100))
FIELD(ohem_threshold, ohem_threshold, FLOAT, ALWAYS,
      "decode loss: online hard example mining; only pixels whose label has a lower probability count; 0: all",
      ICSEG_BETWEEN(0, 1))
FIELD(ohem_least, ohem_least, INT, OHEM,
      "with ohem_threshold: as many pixels of each image count in any case, the hardest of the batch", COUNT)
FIELD(class_weights, class_weights, WORD, ALWAYS,
      "decode loss: weights of the classes: none; inverse: by the inverse of their training pixels; effective: by the "
      "inverse of their effective number of training images, (1 - 0.999^n) / (1 - 0.999); given: those of "
      "data.class_weights",
      .words = icseg_class_weights_words)
FIELD(dense_embeddings, dense_embeddings, WORD, ALWAYS,
      "embeddings of positions: attention: each position attends to all, as in DenseCLIP; values: the values of the "
      "last attention, each position's own, as in MaskCLIP",
      .words = icseg_dense_embeddings_words)
FIELD(score_logits, score_logits, FLOAT, ALWAYS,
      "decoder: adds the mean of the score maps to the logits, times this, over tau; 0: does not", LOSS_WEIGHT)
FIELD(dice_weight, dice_weight, FLOAT, ALWAYS,
      "decode loss: adds the Dice loss of the batch's classes, times this; 0: does not", LOSS_WEIGHT)
FIELD(lovasz_weight, lovasz_weight, FLOAT, ALWAYS,
      "decode loss: adds the Lovasz-softmax loss of the batch's classes, times this; 0: does not", LOSS_WEIGHT)
FIELD(align_source, align_source, WORD, ALWAYS,
      "score maps at other strides: level: from the level's features; embeddings: from the embeddings of the embedding "
      "stride, resized, plus a projection of the level's features that starts at zero",
      .words = icseg_align_source_words)

#undef SIZE
#undef HEADS
#undef DEPTH
#undef COUNT
#undef PROBABILITY
#undef LOSS_WEIGHT
#undef FIELD
