// Layers of Keras 1 under their names of today.
#pragma once

#include "format/keras/source.h"

namespace assay::keras {

// Brings class name and options of older versions into the form of Keras 2; newer ones stay as they are.
void ModernizeLayer(Layer& layer);

}  // namespace assay::keras
