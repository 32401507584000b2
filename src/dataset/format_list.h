/* SPDX-License-Identifier: Apache-2.0
 * The data set formats, described here only: X(enumerator, name, description, layout), in the order of
 * icseg_dataset_format. */
#ifndef ICSEG_DATASET_FORMAT_LIST_H
#define ICSEG_DATASET_FORMAT_LIST_H

#define ICSEG_DATASET_FORMAT_LIST(X)                                                                                   \
    X(FOLDER, "folder", "a folder with images, annotations and classes.txt",                                           \
      "images/SPLIT, annotations/SPLIT and classes.txt")                                                               \
    X(AUTO, "auto", "recognised by its folders", NULL)                                                                 \
    X(ADE20K, "ade20k", "ADE20K SceneParsing 2016, 150 classes",                                                       \
      "images/{training,validation}/*.jpg and annotations/{training,validation}/*.png")                                \
    X(COCOSTUFF10K, "cocostuff10k", "COCO-Stuff 10k, 171 classes",                                                     \
      "images/*.jpg, annotations/*.mat and imageLists/{train,test}.txt, or images/{train2014,test2014} and "           \
      "annotations/{train2014,test2014} with *_labelTrainIds.png")                                                     \
    X(ADE20K_FULL, "ade20k_full", "ADE20K-Full (ADE20K_2021_17_01), 847 classes",                                      \
      "images/ADE/{training,validation}/CATEGORY/SCENE/*_seg.png, or images_detectron2 and annotations_detectron2")

#endif
