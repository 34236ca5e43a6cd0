import koubai as kb

base = kb.Trial(layers=[40, 20], learning_rate=0.1, steps=500)
study = kb.Study(base, name="five-lines", axes={"activation": ["sigmoid", "relu"], "initializer": ["normal", "he"], "seed": 3})
result = kb.run(study)  # one stack, stored in koubai-store: asking again is free
print(result)
model = result.best().module()  # a plain torch.nn.Module
